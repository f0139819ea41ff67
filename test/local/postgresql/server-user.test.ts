import { serverUser, type UserSystem } from '../../../local/postgresql/server-user';

/** A system with these users; `maker` is the program that can make one, if any. */
function systemWith(uid: number | null, users: readonly string[], maker: string | null) {
  const there = new Set(users);
  const ran: string[] = [];
  const system: UserSystem = {
    uid,
    run: (program, parameters) => {
      ran.push(program);
      const name = parameters.at(-1) ?? '';
      if (program === maker) {
        there.add(name);
      } else if (program !== 'id' || !there.has(name)) {
        throw new Error(`${program} fails`);
      }
      return parameters[0] === '-u' ? '990\n' : '980\n';
    },
  };
  return { system, ran };
}

test.each([1000, null])('an ordinary user (%p) runs servers as himself, and nothing is asked or made', (uid) => {
  const { system, ran } = systemWith(uid, [], 'useradd');
  expect(serverUser(system)).toBeNull();
  expect(ran).toEqual([]);
});

test.each([
  ['rejoin is there', ['rejoin', 'nobody'], 'useradd', 'rejoin', ['id', 'id']],
  ['useradd makes it', ['nobody'], 'useradd', 'rejoin', ['id', 'useradd', 'id', 'id']],
  ['BusyBox makes it', ['nobody'], 'adduser', 'rejoin', ['id', 'useradd', 'id', 'adduser', 'id', 'id']],
  ['none can be made', ['nobody'], null, 'nobody', ['id', 'useradd', 'id', 'adduser', 'id', 'id', 'id']],
])('root drops to another user: %s', (_what, users, maker, name, programs) => {
  const { system, ran } = systemWith(0, users, maker);
  expect(serverUser(system)).toEqual({ name, uid: 990, gid: 980 });
  expect(ran).toEqual(programs);
});

test('root without any other user is told what to do', () => {
  expect(() => serverUser(systemWith(0, [], null).system)).toThrow(
    "PostgreSQL refuses to run as root, and there is no user 'rejoin' and none could be made; run 'useradd --system rejoin' or run this as another user",
  );
});
