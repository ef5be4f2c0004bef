"""Is it alive?"""
