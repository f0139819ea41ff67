import { testFaults } from '../small-rehearsal';

// A person asks for these.
testFaults(['planned', 'both-owners']);
