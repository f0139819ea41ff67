import { replicated, testFaults } from '../small-rehearsal';

testFaults(['zombie', 'again'], replicated, 'servers that took a write');
