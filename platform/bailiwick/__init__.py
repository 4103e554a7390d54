"""Bailiwick: governance and lifecycle of a company's private small language models."""

__version__ = "0.1.0"
