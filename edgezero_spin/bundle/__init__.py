"""Code and files in a component that it imports and reads after it was built.

A component has no file system of its own: CPython inside it can use what is in memory, and
nothing else. This room keeps compressed code and files in that memory and gives them to the
import system and to ``open()`` when a request asks for them.

``archive`` is the format, ``importer`` and ``files`` read it inside a component,
``building`` fills it there while the component is built, and ``unavailable`` says what
cannot work in a component at all.
"""
