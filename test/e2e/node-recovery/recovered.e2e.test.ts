import { testFaults } from '../small-rehearsal';

// A recovery gets over these.
testFaults(['kill', 'corrupt-chunk']);
