import { managed, testFaults } from '../small-rehearsal';

testFaults(['kill', 'no-stop'], managed, 'writes lost within the bound of the evidence');
