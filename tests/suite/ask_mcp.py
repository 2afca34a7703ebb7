"""Asks `emp-events mcp` by the protocol's own client, and prints what it answers as JSON.

    ask_mcp.py CALLS PROGRAM WORD...

CALLS is a JSON list of [tool, arguments].
"""

import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main():
    calls, program, words = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3:]
    async with stdio_client(StdioServerParameters(command=program, args=words)) as (read, write):
        async with ClientSession(read, write) as session:
            begun = await session.initialize()
            tools = (await session.list_tools()).tools
            answers = []
            for name, arguments in calls:
                answer = await session.call_tool(name, arguments)
                is_error = answer.is_error if hasattr(answer, "is_error") else answer.isError
                answers.append({"text": answer.content[0].text, "is_error": bool(is_error)})
            print(json.dumps({
                "begun": begun.model_dump(mode="json", by_alias=True, exclude_none=True),
                "tools": [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools],
                "answers": answers,
            }))


asyncio.run(main())
