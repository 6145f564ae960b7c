"""Policies that ship with the package, one TOML file each."""
