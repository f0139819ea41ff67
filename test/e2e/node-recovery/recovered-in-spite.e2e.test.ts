import { testFaults } from '../small-rehearsal';

// And over these, which come back.
testFaults(['slot-lost', 'zombie']);
