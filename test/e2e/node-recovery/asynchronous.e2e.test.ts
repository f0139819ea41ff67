import { testFaults } from '../small-rehearsal';

// An EC2 node that returns after the fence acknowledges nothing where commits wait for nobody.
testFaults(['zombie'], { durability: 'asynchronous' });
