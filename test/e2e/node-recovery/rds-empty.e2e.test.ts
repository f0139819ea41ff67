import { managed, testFaults } from '../small-rehearsal';

testFaults(['no-snapshot', 'zombie'], managed, 'writes lost within the bound of the evidence');
