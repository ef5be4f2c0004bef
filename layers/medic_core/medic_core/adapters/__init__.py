"""Everybody else: one promise of `ports` each, one library hidden each."""
