import { DatabaseError } from 'pg';
import { asRejoinError } from '../../../engines/postgresql/connection';

const address = { cluster: 'orders', nodeId: 'node-3', host: '10.0.0.3', port: 5432, database: 'shop' };

test('a full disk of a node is said with the node and what to do', () => {
  const thrown = new DatabaseError('could not extend file "base/1/2": No space left on device', 1, 'error');
  thrown.code = '53100';
  expect(asRejoinError(thrown, address)).toMatchObject({
    name: 'NoDiskSpace',
    message: `node 'node-3' of cluster 'orders' (10.0.0.3:5432) answered 53100: could not extend file "base/1/2": No space left on device; free space on that node`,
  });
});
