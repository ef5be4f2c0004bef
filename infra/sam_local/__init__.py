"""`make sam-local`: what `sam build` made, run by `sam local` in containers, against a real Postgres and Redis.

`engine` finds Docker or starts one of its own, `image` finds AWS's base image or makes a stand-in for it (of what
`root_files` collects), `servers` and `relay` are what the functions talk to, `variables` tells them where that is,
`expectations` and `drive` hold what comes back against what must. `__main__` does it in order.
"""
