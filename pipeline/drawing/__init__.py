"""Pixels for people: boxes, labels, sheets, blur."""
