import { testFaults } from '../small-rehearsal';

// Every state is entered twice in this.
testFaults(['step-killed']);
