"""tls_line.py FOLDER PORT: what comes over TLS goes to that port of this machine as it is, for servers that were built
without TLS. The certificate is server.crt of the folder. Prints the port at which it listens, and goes on until it is ended.
"""

import asyncio
import ssl
import sys


async def carry(source, target):
    while part := await source.read(1 << 16):
        target.write(part)
        await target.drain()
    target.close()


async def serve(folder, port):
    async def connected(reader, writer):
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", port)
        ways = carry(reader, behind_writer), carry(behind_reader, writer)
        await asyncio.gather(*ways, return_exceptions=True)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/server.crt", f"{folder}/server.key")
    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
