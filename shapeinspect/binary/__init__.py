"""Bounded readers of bytes, shared by all plug-ins: all claims of a file are checked here.

A claim is a length, a count, an offset or a name that a file states about itself. Each is compared with the
actual data before anything is read, allocated or followed; a false claim raises ``UnreadableFileError``
with its byte offset. What only one format knows (torch's persistent ids, Keras's metadata, which fields a
GGUF file has) stays in its plug-in.

=================================================  ===========================================  ==============
danger                                             what is done                                 module
=================================================  ===========================================  ==============
an offset or length outside the file               refused before it is read                    all
a file that shrinks while it is read               refused; no memory map is used               ``window``
one read of more than 256 MiB                      refused, except for the data of a tensor     ``window``
a stream whose names and shapes take over 256 MiB  refused                                      ``cursor``
tensor data between names                          skipped, not read                            ``cursor``
names of over 33,554,432 characters in all         refused                                      ``names``
weights that stand for over 256 MiB more than the  refused where their values are read          ``repeats``
file stores: repeated, filled, sparse, shared
**JSON**
a key twice                                        refused                                      ``json_text``
another encoding than UTF-8                        refused                                      ``json_text``
over 256 MiB, 1,200,000 containers or 5,000,000    refused before it is parsed                  ``json_text``
commas
over 200 levels                                    refused                                      ``json_text``
an integer of over 64 bits                         refused; kept in a ``config.json``, where    ``json_text``
                                                   tokenizers leave them
``NaN``, ``Infinity``, ``1e999``                   become strings, so nothing computes with     ``json_text``
                                                   them; the first two are refused in
                                                   safetensors, as by its own reader
a lone surrogate                                   kept in names, which ``text`` makes          ``json_text``
                                                   printable; refused in safetensors
**zip**
a member twice, members that overlap               refused                                      ``zip_reader``
a local header of another name, size or method     refused when the member is read              ``zip_reader``
encryption, several files, a method that is        refused                                      ``zip_reader``
neither stored nor deflated
bytes after the end, two end records that differ   refused                                      ``zip_reader``
a directory of over 64 MiB or 300,000 members, or  refused before it is read                    ``zip_reader``
shorter than its count of members
a member's name that leads outside                 refused; nothing is extracted, and in an     ``zip_reader``
                                                   ``.npz`` names are keys and not paths
more bytes than a deflated member states           inflating stops one byte beyond them, and    ``zip_reader``
                                                   it is refused
over 4 MiB, and over 100 times what is stored      refused before it is inflated                ``zip_reader``
two root directories in a torch archive            refused                                      ``zip_reader``
**pickle**
imports, calls, state                              recorded, never executed                     ``pickles``
over 4,000,000 opcodes and one for each three      refused                                      ``pickles``
bytes, or 15,000,000; 2,000,000 objects, 5,000,000
entries of the memo, 100,000 names
over 1,000 open marks                              refused                                      ``pickles``
an integer of over 64 bytes                        refused                                      ``pickles``
long bytes and texts                               left in the file; their offset is kept       ``pickles``
a key that would have to be hashed, integers that  compared by identity                         ``pickles``
share their hash with others
a name computed from something other than text     refused; listed where only names are sought  ``pickles``
**protobuf**
a number of over ten bytes, field number 0,        refused                                      ``protobuf``
groups and unknown wire types
a field longer than its message                    refused                                      ``protobuf``
messages in messages                               no recursion here; a reader of recursive     ``protobuf``
                                                   messages stops at a depth of 100
more fields or entries than any model has          each reader's :class:`~.protobuf.Budget`     ``protobuf``
**flatbuffer**
a table, field or list outside the file            refused                                      ``flatbuffer``
over 5,000,000 entries in all, 400,000 tables in   refused                                      ``flatbuffer``
lists or more than the file can hold, a name of
over 64 KiB
=================================================  ===========================================  ==============
"""
