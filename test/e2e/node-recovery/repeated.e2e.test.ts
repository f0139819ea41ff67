import { testFaults } from '../small-rehearsal';

// Something happens twice in these.
testFaults(['two-alarms', 'again']);
