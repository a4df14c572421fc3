"""Files and folders at addresses (S3, Google Cloud Storage, HDFS), through the file systems of pyarrow."""
