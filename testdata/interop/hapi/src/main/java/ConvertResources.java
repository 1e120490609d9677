import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Arrays;

/**
 * Writes each NAME.r4.json and NAME.r5.json of a folder as NAME.….json.xml, and each NAME.….xml that has no JSON beside it as
 * NAME.….xml.json: FHIR's own XML and JSON, by HL7's parsers.
 */
public class ConvertResources {
  public static void main(String[] args) throws Exception {
    File[] files = new File(args[0]).listFiles();
    Arrays.sort(files);
    int done = 0;
    for (File file : files) {
      String name = file.getName();
      boolean r5 = name.contains(".r5.");
      byte[] in = Files.readAllBytes(file.toPath());
      byte[] out;
      File to;
      try {
        if (name.endsWith(".r4.json") || name.endsWith(".r5.json")) {
          to = new File(file.getPath() + ".xml");
          out = r5
              ? new org.hl7.fhir.r5.formats.XmlParser().composeBytes(new org.hl7.fhir.r5.formats.JsonParser().parse(in))
              : new org.hl7.fhir.r4.formats.XmlParser().composeBytes(new org.hl7.fhir.r4.formats.JsonParser().parse(in));
        } else if (name.endsWith(".r4.xml") || name.endsWith(".r5.xml")) {
          to = new File(file.getPath() + ".json");
          out = r5
              ? new org.hl7.fhir.r5.formats.JsonParser().composeBytes(new org.hl7.fhir.r5.formats.XmlParser().parse(in))
              : new org.hl7.fhir.r4.formats.JsonParser().composeBytes(new org.hl7.fhir.r4.formats.XmlParser().parse(in));
        } else {
          continue;
        }
      } catch (Exception e) {
        System.out.println(name + ": " + e);
        continue;
      }
      Files.write(to.toPath(), out);
      done++;
    }
    System.out.println(done + " converted");
  }
}
