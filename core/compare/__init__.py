"""Comparing models and settings: strengths, time and memory, likeness of each."""
