"""A TCP proxy between a program and its server: cut, slow, or turned to another
server, as a network does it."""

import select
import socket
import threading
import time

CHUNK = 1 << 16


class TcpProxy:
    """Listens on a port of its own; `target` is (host, port)."""

    def __init__(self, target, host="127.0.0.1"):
        self.host = host
        self.target = target
        self.delay_s = 0.0
        self.is_cut = False
        self.links = set()
        self.lock = threading.Lock()
        self.listener = socket.create_server((host, 0))
        self.port = self.listener.getsockname()[1]
        self.is_closing = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.is_closing:
                client.close()
                return
            threading.Thread(
                target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        if self.is_cut:
            client.close()
            return
        try:
            server = socket.create_connection(self.target, timeout=5)
        except OSError:
            client.close()
            return
        link = (client, server)
        for end in link:
            end.settimeout(None)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.lock:
            self.links.add(link)
        try:
            self._pump(client, server)
        except (OSError, ValueError):
            pass  # closed by an end, or by cut()
        with self.lock:
            self.links.discard(link)
        for end in link:
            end.close()

    def _pump(self, client, server):
        other = {client: server, server: client}
        while True:
            for end in select.select([client, server], [], [])[0]:
                data = end.recv(CHUNK)
                if not data:
                    return
                if self.delay_s > 0:
                    time.sleep(self.delay_s)
                other[end].sendall(data)

    def break_links(self):
        """Every connection ends; what is on its way is lost."""
        with self.lock:
            links = list(self.links)
        for link in links:
            for end in link:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # it had ended

    def turn_to(self, target):
        self.target = target
        self.break_links()

    def cut(self):
        self.is_cut = True
        self.break_links()

    def mend(self):
        self.is_cut = False

    def close(self):
        self.is_closing = True
        self.cut()
        self.listener.close()
