import { testFaults } from '../small-rehearsal';

// Nor can it catch up with this.
testFaults(['write-storm']);
