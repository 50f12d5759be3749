# Jars from Maven. Sourced by the scripts beside it.

# fetch_jars FOLDER GROUP:ARTIFACT:VERSION…: these artefacts and what they need at run time, once.
fetch_jars() {
  local folder="$1" artefact group name version
  shift
  if [ -f "$folder/.complete" ]; then return; fi
  rm -rf "$folder"
  mkdir -p "$folder"
  {
    echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
    echo '<groupId>ovate.tests</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>'
    echo '<dependencies>'
    for artefact in "$@"; do
      IFS=: read -r group name version <<< "$artefact"
      echo "<dependency><groupId>$group</groupId><artifactId>$name</artifactId><version>$version</version></dependency>"
    done
    echo '</dependencies></project>'
  } > "$folder/pom.xml"
  (cd "$folder" && mvn -q -B dependency:copy-dependencies -DoutputDirectory=. -DincludeScope=runtime)
  touch "$folder/.complete"
}
