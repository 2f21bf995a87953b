"""Traffic: many regions and their callers on a virtual clock, with the real core in between. What a call meets is what
it would meet deployed: a container of its region, that container's memory, the region's replica of the gate as it
stands by then, a log delivered seconds later, a fold, a conditional write, a publication at a mark.

`delays` and `setup` are the conditions, `scenarios` and `arrivals` the calls. `world` decides on them one by one,
`cells` many at a time; `pipeline`, `home` and `replicas` are what comes after a line. `truth` knows what really
happened, `report` puts it into figures, `runs` does all of it.
"""
