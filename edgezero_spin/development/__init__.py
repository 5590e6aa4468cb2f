"""``edgezero dev``: an app served natively, loaded anew at every save.

The command binds the socket, watches the files and starts one process, ``forking``, that has
imported all but the app. Each load is a fork of it, which imports the app, opens the stores of the
manifest and answers on the socket by the same HTTP server that the embedded host has. Between two
loads, clients wait in the socket's queue.

A component differs: it is compiled, has no threads, sockets or native extensions, sees the files of
its manifest and nothing else, and starts every request from its snapshot.
"""
