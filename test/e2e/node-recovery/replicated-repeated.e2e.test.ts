import { replicated, testFaults } from '../small-rehearsal';

testFaults(['step-killed', 'two-alarms'], replicated, 'servers that took a write');
