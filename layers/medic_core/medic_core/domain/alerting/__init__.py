"""Must people hear of it?"""
