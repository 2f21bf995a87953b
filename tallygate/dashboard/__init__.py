"""The page that operators look at: a server on loopback, and the files of the page. What it shows is answered by
`tallygate/operations/`; here is only how questions reach it and how its answers look.
"""
