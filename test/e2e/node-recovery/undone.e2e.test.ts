import { testFaults } from '../small-rehearsal';

// A recovery is undone after these.
testFaults(['second-node', 'replacement-dies']);
