import { replicated, testFaults } from '../small-rehearsal';

testFaults(['false-alarm', 'one-witness'], replicated, 'servers that took a write');
