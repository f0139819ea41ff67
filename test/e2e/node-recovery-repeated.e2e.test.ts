import { testFaults } from './small-rehearsal';

// Something happens twice in these.
testFaults(['step-killed', 'two-alarms', 'again']);
