"""The command line: one file of commands per capability, loaded when used."""
