"""Forms of parts, made from the schema of their kind: every field of every kind can be edited on a page.

`shapes` reads a schema, `reading` turns what a browser posted into a body, `nodes` a body into what a template
shows, `merging` sets two texts of one part side by side. Nothing here asks the database or decides anything:
what is valid is said by the schema, what may be done by services.
"""
