"""Faces: they show events and turn answers into decisions. None of them touches a VM."""
