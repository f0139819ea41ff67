// Plain and old JavaScript on purpose: it has to run where nothing else of this project does.
var needed = 20;
var found = Number(process.versions.node.split('.')[0]);
if (found < needed) {
  process.stderr.write(
    'rejoin needs Node.js ' +
      needed +
      ' or later; this is ' +
      process.version +
      '; install a newer one and try again\n',
  );
  process.exit(1);
}
