package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleDescriptor.Requires;
import java.lang.module.ModuleDescriptor.Requires.Modifier;
import java.lang.module.ModuleReference;
import java.lang.module.ResolvedModule;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.JarFile;
import org.junit.jupiter.api.Test;

/** What the module descriptor demands, where the tests run on the module path. */
class ModuleNamesTest {
  /**
   * The name of {@code proto.google.common.protos} is derived from the name of its jar's file:
   * where the file had another name, such as one with its group in front, the JVM did not start.
   */
  @Test
  void noModuleIsDemandedByTheNameOfItsFile() throws Exception {
    ModuleDescriptor descriptor = RpcServer.class.getModule().getDescriptor();
    assumeThat(descriptor).as("a test on the module path").isNotNull();

    List<String> named = new ArrayList<>();
    for (Requires each : descriptor.requires()) {
      if (!each.modifiers().contains(Modifier.STATIC) && isNamedByFile(each.name())) {
        named.add(each.name());
      }
    }
    assertThat(named).isEmpty();
  }

  private static boolean isNamedByFile(String module) throws IOException {
    ModuleReference reference = ModuleLayer.boot()
        .configuration()
        .findModule(module)
        .map(ResolvedModule::reference)
        .orElseThrow();
    if (!reference.descriptor().isAutomatic()) {
      return false;
    }
    Path path = Path.of(reference.location().orElseThrow());
    try (JarFile jar = new JarFile(path.toFile())) {
      return jar.getManifest().getMainAttributes().getValue("Automatic-Module-Name") == null;
    }
  }
}
