"""Measurements, as ratios within one run; none of it is a test."""
