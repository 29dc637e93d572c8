"""The commands of `ibtools`, one file each: parse, one library call, print."""
