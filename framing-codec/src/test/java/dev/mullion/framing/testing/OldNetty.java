package dev.mullion.framing.testing;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Enumeration;
import java.util.Set;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Makes Netty's jars look as those of 4.1 do: they say so, and lack what 4.2 has added. */
public final class OldNetty {
  /** What the jars say that they are. */
  public static final String VERSION = "4.1.999.Final";

  private static final Set<String> OLD = Set.of("netty-buffer", "netty-common", "netty-transport");
  private static final Pattern JAR = Pattern.compile("(netty-[a-z]+)-4\\.2\\.[^/]*\\.jar");
  private static final Pattern ADDED_SINCE =
      Pattern.compile("io/netty/(channel/((Single|Multi)Thread)?Io[A-Z]|channel/nio/NioIo|"
          + "util/concurrent/Ticker).*");

  private OldNetty() {}

  /** Returns an entry of a class path, or an old jar in its place, made in a directory. */
  public static String instead(String entry, Path directory) {
    Path jar = Path.of(entry);
    Matcher netty = JAR.matcher(String.valueOf(jar.getFileName()));
    if (!netty.matches() || !OLD.contains(netty.group(1))) {
      return entry;
    }
    Path old = directory.resolve(netty.group(1) + "-" + VERSION + ".jar");
    try (JarFile from = new JarFile(jar.toFile());
        OutputStream file = Files.newOutputStream(old);
        JarOutputStream to = new JarOutputStream(file)) {
      for (Enumeration<JarEntry> entries = from.entries(); entries.hasMoreElements(); ) {
        copy(from, entries.nextElement(), to);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return old.toString();
  }

  private static void copy(JarFile from, JarEntry entry, JarOutputStream to) throws IOException {
    String name = entry.getName();
    if (ADDED_SINCE.matcher(name).matches()) {
      return;
    }
    try (InputStream content = from.getInputStream(entry)) {
      byte[] bytes = content.readAllBytes();
      to.putNextEntry(new JarEntry(name));
      to.write(
          name.endsWith("versions.properties")
              ? new String(bytes, UTF_8)
                  .replaceAll("\\.version=.*", ".version=" + VERSION)
                  .getBytes(UTF_8)
              : bytes);
    }
  }
}
