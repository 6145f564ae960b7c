"""Build a site from the same pages. README.md is its first page. `make site` writes it to site/."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = {
    "Start": "index.md", "Questions": "faq.md", "Glossary": "glossary.md", "Rules": "rules.md", "Cases": "cases.md",
    "Sampling": "sampling.md", "Policies": "policy.md", "Tables": "tables.md", "Sources that ship": "sources.md",
    "What exports hold": "formats.md", "Databases": "databases.md", "FHIR": "fhir.md", "Workbooks": "workbooks.md",
    "X12": "x12.md", "Lakes and addresses": "lakes.md",
    "Checks of the exports": "quality.md", "Outputs": "outputs.md", "Running unattended": "unattended.md",
    "Other programs": "recipes.md",
    "Running on Spark": "cluster.md", "From Python": "python.md", "Rules of your own": "local_rules.md",
    "Columns of rules": "windows.md", "Security": "security.md", "Specification": "specification.md",
    "Releases": "releases.md", "Changes": "CHANGELOG.md", "Benchmarks": "benchmarks.md", "Decisions": "DECISIONS.md",
    "Contributing": "CONTRIBUTING.md", "Messages": "errors.md",
}  # fmt: skip


def build(target: Path) -> None:
    """Copy the pages with links that work on the site, and build it. Raises CalledProcessError if a link is broken."""
    with tempfile.TemporaryDirectory() as work:
        pages = Path(work) / "pages"
        shutil.copytree(ROOT / "docs", pages, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        for name in ("README.md", "CHANGELOG.md", "DECISIONS.md", "CONTRIBUTING.md"):
            text = re.sub(r"\]\((?:docs/)", "](", (ROOT / name).read_text(encoding="utf-8"))
            (pages / ("index.md" if name == "README.md" else name)).write_text(text, encoding="utf-8")
        for page in pages.glob("*.md"):
            text = page.read_text(encoding="utf-8").replace("](../README.md", "](index.md").replace("](../", "](")
            page.write_text(text, encoding="utf-8")
        navigation = "".join(f"  - {title}: {page}\n" for title, page in PAGES.items())
        (Path(work) / "mkdocs.yml").write_text(
            "site_name: audit98968\ntheme:\n  name: readthedocs\n  highlightjs: false\nplugins: []\n"
            "use_directory_urls: false\n"
            f"docs_dir: pages\nsite_dir: {target}\nnav:\n{navigation}"
            "validation:\n  links:\n    not_found: warn\n    anchors: warn\n",
            encoding="utf-8",
        )
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-f", f"{work}/mkdocs.yml"]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    build(ROOT / "site")
