import { replicated, testFaults } from '../small-rehearsal';

testFaults(['kill', 'no-snapshot'], replicated, 'servers that took a write');
