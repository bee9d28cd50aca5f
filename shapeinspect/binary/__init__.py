"""Bounded readers of bytes, shared by all plug-ins: the one place where a file's own claims are checked.

A claim is a length, a count, an offset or a name that a file states of itself. Each is compared with what
is really there before anything is read, allocated or followed; what is wrong is an ``UnreadableFileError``
with the byte where it was found. What only one format knows (torch's persistent ids, Keras's metadata,
which fields a GGUF file has) stays in its plug-in.

=================================================  ===========================================  ==============
danger                                             what is done                                 module
=================================================  ===========================================  ==============
an offset or length outside the file               refused before it is read                    all
a file that becomes shorter while it is read       refused; no memory map is used               ``window``
one piece of more than 256 MiB                     refused, but for the numbers of a tensor     ``window``
a stream whose names and shapes take over 256 MiB  refused                                      ``cursor``
numbers that stand between names                   stepped over, not read                       ``cursor``
**JSON**
a key twice                                        refused                                      ``json_text``
another encoding than UTF-8                        refused                                      ``json_text``
over 256 MiB, 4,000,000 containers or 12,000,000   refused before it is parsed                  ``json_text``
commas
over 200 levels                                    refused                                      ``json_text``
an integer of over 64 bits                         refused; kept in a ``config.json``, where    ``json_text``
                                                   tokenizers leave them
``NaN``, ``Infinity``, ``1e999``                   become texts that no computation takes;      ``json_text``
                                                   the first two are refused in safetensors, as
                                                   its own reader does
half a character (a lone surrogate)                kept in names, which ``text`` makes fit to   ``json_text``
                                                   print; refused in safetensors
**zip**
a member twice, members that overlap               refused                                      ``zip_reader``
a local header of another name, size or method     refused when the member is read              ``zip_reader``
encryption, several files, a method that is        refused                                      ``zip_reader``
neither stored nor deflated
bytes behind the end, two end records that differ  refused                                      ``zip_reader``
a directory of over 64 MiB, or shorter than its    refused before it is read                    ``zip_reader``
count of members
a member's name that leads outside                 refused; nothing is extracted, and in an     ``zip_reader``
                                                   ``.npz`` names are keys and not paths
more bytes than a deflated member promises         inflating stops one byte beyond them, and    ``zip_reader``
                                                   it is refused
two roots where one is written                     refused                                      ``zip_reader``
**pickle**
imports, calls, state                              recorded, never done                         ``pickles``
over 20,000,000 opcodes, 2,000,000 objects,        refused                                      ``pickles``
5,000,000 entries of the memo, 100,000 names
over 1,000 marks that are open at once             refused                                      ``pickles``
an integer of over 64 bytes                        refused                                      ``pickles``
long bytes and texts                               left in the file; their place is kept        ``pickles``
a key that would have to be hashed                 compared by identity                         ``pickles``
a name made of something that is no text           refused; listed where only names are sought  ``pickles``
**protobuf**
a number of over ten bytes, field number 0,        refused                                      ``protobuf``
groups and unknown wire types
a field longer than its message                    refused                                      ``protobuf``
messages in messages                               no recursion here; a reader whose messages   ``protobuf``
                                                   hold themselves stops at 100
more fields or entries than any model has          each reader's :class:`~.protobuf.Budget`     ``protobuf``
**flatbuffer**
a table, field or list that leads outside          refused                                      ``flatbuffer``
over 5,000,000 entries in all, a name of over      refused                                      ``flatbuffer``
64 KiB
=================================================  ===========================================  ==============
"""
