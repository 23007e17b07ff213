package dev.mullion.messaging;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A process with a store of its own, which tests kill. */
final class StoreProcess {
  static final String HOLD = "hold";
  static final String WORK = "work";

  private StoreProcess() {}

  static Process start(String what, Path directory, long seed) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-ea"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(StoreProcess.class.getName(), what, directory.toString(), "" + seed));
    return new ProcessBuilder(command)
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }

  /** Opens a store, and holds it or works on it until killed, or until its parent is gone. */
  public static void main(String[] args) throws Exception {
    MvStore store = MvStore.open(Path.of(args[1]), MessagingClock.system());
    if (args[0].equals(WORK)) {
      new StoreWorkload(store, Long.parseLong(args[2]), System.out).run();
    }
    System.out.println("open");
    System.in.read();
  }
}
