import { replicated, testFaults } from '../small-rehearsal';

testFaults(['kill-standby', 'planned-standby'], replicated, 'servers that took a write');
