import { type Address, type Node, nodeName } from './address.js';
import { firstOf } from './first_of.js';
import { OwnConnection } from './own_connection.js';
import type { Target } from './own_redis.js';
import { RedisRefusal } from './reply.js';
import type { Timeouts } from './transport.js';

/**
 * Asks all sentinels of an address at once where the server is. The first answer counts: one that
 * is out of date leads to a server that takes no events, and then all are asked again.
 */
export function askSentinels(address: Address, tls: Target['tls'], timeouts: Timeouts): Promise<Node> {
  const { master = '', username, password } = address;
  const ask = async (place: Node): Promise<Node> => {
    const target = { name: `sentinel ${nodeName(place)}`, place, tls };
    try {
      return await askSentinel(target, master, timeouts);
    } catch (error) {
      if (password === undefined || !String(error).includes('NOAUTH')) {
        throw error;
      }
      // Most sentinels want no login, and refuse one by a name that only the server knows.
      return await askSentinel({ ...target, username, password }, master, timeouts);
    }
  };
  return firstOf(address.nodes.map(ask));
}

async function askSentinel(target: Target, master: string, timeouts: Timeouts): Promise<Node> {
  const sentinel = new OwnConnection(target, timeouts);
  try {
    await sentinel.open();
    const answer = await sentinel.ask(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', master]);
    if (Array.isArray(answer)) {
      const [host = '', port] = answer;
      return { host, port: Number(port) };
    }
    const reason = answer instanceof RedisRefusal ? answer.message : `it names no server as ${master}`;
    throw new Error(`${target.name}: ${reason}`);
  } finally {
    sentinel.close();
  }
}
