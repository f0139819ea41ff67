import { testFaults } from '../small-rehearsal';

// Nothing may be changed by these.
testFaults(['false-alarm', 'one-witness']);
