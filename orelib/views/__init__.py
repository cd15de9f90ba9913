"""Figures, sliders and pages."""
