// Command experiments shows what an application notices when a machine of its rack runs short.
//
//	make experiments
//
// The applications are images/kv, on which a load works that does not wait (package load), and
// images/kmeans. After a while something takes the memory, or the processor, of one machine (nuos
// stress). Each experiment is made four times:
//
//   - moving: proclets move by themselves.
//   - staying: they may not (boot parameter balance=off).
//   - roomy: the same is taken, but of machines that have enough, so that nothing needs to move. What it
//     differs from moving by is what moves cost.
//   - calm: nothing is taken.
//
// Tables and charts go to a folder, and into docs/experiments.md if asked to.
package main
