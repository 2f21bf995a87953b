"""Traffic: many regions and their callers on a virtual clock, with the real core in between. What a call meets is what
it would meet deployed: a container of its region, that container's memory, the region's replica of the gate as it
stands by then, a log delivered seconds later, a fold, a conditional write, a publication at a mark.

`delays` and `setup` are the conditions, `world` runs them call by call, `home` and `replicas` are its two stores,
`containers` what serves.
"""
