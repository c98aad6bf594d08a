"""TLS in front of the sandbox, with the certificate that it's told: SANDBOX CERTIFICATE KEY. It prints its port."""
import http.client, http.server, ssl, sys, urllib.parse

sandbox, certificate, key = sys.argv[1:]
inside = urllib.parse.urlsplit(sandbox).netloc


class Front(http.server.BaseHTTPRequestHandler):
    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        asked = http.client.HTTPConnection(inside)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        asked.request(self.command, self.path, body, headers)
        answer = asked.getresponse()
        text = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = pass_on

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass


server = Server(("127.0.0.1", 0), Front)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
