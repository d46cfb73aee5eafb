"""The nodes, and what a client asks of a node.

nodeset         the compiled models, read row by row; `wire` turns rows into attributes; `structures`, `namespaces`
address_space   nodes found when asked for, values and watches kept
instance        one machine's branch, made by its type; `template` walks the types
values          a reading as a DataValue: type, status code, source timestamp
attributes      Read, with `index_range`; `view`: Browse and TranslateBrowsePaths; `methods`: Call
sight           which nodes a user sees
continuation    answers that come in parts; `limits`: how much at once
"""
